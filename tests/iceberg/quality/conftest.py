"""What these tests share: this folder is on the import path, so that a test can `import quality_lake`."""
