"""The ground floor: errors, configuration, paths and files that packages ship."""
