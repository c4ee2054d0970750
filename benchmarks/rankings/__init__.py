"""The rankings: the cube in memory beside the same questions in SQL over the same rows, and answers through HTTP.

``sample`` invents the usage, ``peers`` answer in SQL, ``rounds`` lets all take turns, ``scale`` looks at memory,
filling and refreshing and at the number of events, ``served`` asks a running server.
"""
