"""Reading what businesses have: feeds, pages, FAQ files, folders of documents, whole sites."""
