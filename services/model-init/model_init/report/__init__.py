"""What people, programs and the page see of the work."""
