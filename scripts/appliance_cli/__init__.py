"""Operates the appliance on one host: looks, installs, starts, watches, stops."""
