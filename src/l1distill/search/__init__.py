"""The search for students: many candidates, trained together and chosen by loss and cost."""
