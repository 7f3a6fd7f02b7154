"""What is in a folder of images before it is used: classes, copies, and doubtful labels."""
