"""Will inheriting help on this pair of networks and these data?"""
