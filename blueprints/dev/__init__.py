"""Pages for whoever builds the app, registered in debug only: the inbox and the gallery."""
