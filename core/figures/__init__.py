"""Pictures out of traces: f(arrays, choice, theme). Neither torch nor Streamlit is imported here."""
