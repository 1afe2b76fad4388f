"""What `egmt doctor` looks at: each check takes plain facts and returns a Finding; no ROS here."""
