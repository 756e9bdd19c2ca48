"""A recorded week played again, with any policy: what each would have done, and what that would have been worth."""
