"""What joins the provider to other frameworks; each package needs its framework installed."""
