"""The open zoo: photographs and letters that come with the package, under open licences.

`shards/` holds one archive of images per data set (two where one would exceed 5 MB), with index,
manifest, credits and licence texts; a data set whose files are removed is left out, and so are the
tasks on it. `tables/` holds what was written here: the taxonomy of the labels, the tasks, and the
training tasks of the experts.
"""
