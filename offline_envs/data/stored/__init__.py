"""Arrays as files store them, read without following the file elsewhere or believing its sizes."""
