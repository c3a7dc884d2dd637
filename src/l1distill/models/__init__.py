"""Teachers, students, and how they are evaluated."""
