"""Files of numbers, read as files of strangers are: IDX, .npy, .npz.

Nothing is unpickled, no size is believed before it is compared with the file's, and nothing expands beyond a
limit.
"""
