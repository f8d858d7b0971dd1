"""Families of networks, and the engines that compute them."""
