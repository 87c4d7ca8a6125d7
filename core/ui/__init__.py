"""Everything that touches Streamlit, except the pages. No module here may bear the name of a package that is imported."""
