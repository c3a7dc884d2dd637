"""Jets of the user's: HDF5 and parquet tables of features and labels."""
