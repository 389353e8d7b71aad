// The page's entry.
