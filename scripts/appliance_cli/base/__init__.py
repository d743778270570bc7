"""What everything else stands on: failures, output, processes, files. Knows nothing of the appliance."""
