"""The paper's own four data sets, read as their publishers lay them out."""
