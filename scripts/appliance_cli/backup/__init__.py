"""What an appliance is lost without, in one file: made, proven, encrypted, brought back."""
