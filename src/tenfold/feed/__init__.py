"""One feed for every surface: what each person is shown, what they did with it, and what that earned."""
