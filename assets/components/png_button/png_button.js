// A button that turns an SVG into a PNG of twice its size, here in the browser, and saves it.
export default function ({ data, parentElement }) {
  const button = parentElement.querySelector("button") || parentElement.appendChild(document.createElement("button"));
  button.type = "button";
  button.textContent = "PNG";
  button.onclick = () => {
    const address = URL.createObjectURL(new Blob([data.svg], { type: "image/svg+xml" }));
    const picture = new Image();
    picture.onload = () => {
      const canvas = document.createElement("canvas");
      canvas.width = 2 * picture.width;
      canvas.height = 2 * picture.height;
      canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
      URL.revokeObjectURL(address);
      canvas.toBlob((blob) => {
        const link = document.createElement("a");
        link.href = URL.createObjectURL(blob);
        link.download = `${data.name}.png`;
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 1000);
      }, "image/png");
    };
    picture.src = address;
  };
}
