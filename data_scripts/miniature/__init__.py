"""Miniatures of the paper's four data sets: drawn images in exactly the publishers' layouts."""
