"""Anyone's data as a stream: RecBole's files, S3-Rec's, CSV, Parquet."""
