"""One renderer per kind of output: HTML of labels, generated text, embeddings, audio, images; registry names them."""
