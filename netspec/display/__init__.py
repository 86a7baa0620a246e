"""What commands show: tables, summaries, progress. Data comes in, text goes out."""
