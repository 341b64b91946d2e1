# Being here puts this folder on the import path: tests share the slow, obvious references in it.
