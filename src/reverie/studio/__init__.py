"""The studio: a page in the browser in which a person plays what a model dreams, and looks at runs."""
