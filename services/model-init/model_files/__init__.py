"""What is known of models' files and of the hubs that have them. For model-init and for the appliance's CLI.

Standard library only, because both have an environment of their own. Raises errors of its own, which each of
them puts into its own words.
"""
