() => {
  const files = document.createElement("input");
  files.type = "file";
  files.accept = "image/png,image/jpeg,image/gif,image/webp";
  files.onchange = async () => {
    let url = "";
    try {
      const picture = await createImageBitmap(files.files[0]);
      const scale = Math.min(1, 384 / Math.max(picture.width, picture.height));
      const canvas = document.createElement("canvas");
      canvas.width = Math.max(1, Math.round(picture.width * scale));
      canvas.height = Math.max(1, Math.round(picture.height * scale));
      const drawing = canvas.getContext("2d");
      drawing.fillStyle = "white";
      drawing.fillRect(0, 0, canvas.width, canvas.height);
      drawing.drawImage(picture, 0, 0, canvas.width, canvas.height);
      url = canvas.toDataURL("image/jpeg", 0.9);
    } catch (error) {
      console.warn("not a picture", error);
    }
    emitEvent("chat_picture", url);
  };
  files.click();
}
