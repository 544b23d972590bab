"""Pages with the tables and figures of the student report, made from our own runs.

The student report is the seed document of this project: "Classification, Skull Stripping and Segmentation of
Brain Tumor MRI" by E. Ephrem and A. De Clercq, two bachelor students of computer science (course LIFPROJET).
It describes three networks, one for each of our tasks. Its numbers stand in `published`. Each page shows them
beside ours; docs/explanation/student-report.md says what they tell.
"""
