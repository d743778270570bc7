"""What everything else stands on: failures, output, processes, whole files. Knows nothing of the appliance."""
