"""What a simulated module's memory holds when its management interface wakes up."""
