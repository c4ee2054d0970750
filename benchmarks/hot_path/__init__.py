"""What a request costs without sockets and disks, as Python sources and as compiled modules, side by side."""
