"""One file per verb; each has one public function that `cli.main` calls with the parsed arguments."""
