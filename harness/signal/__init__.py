"""Waveform analysis and statistics of PAM4 lanes: numpy in, numbers out. Knows no bench.

Import what is wanted from its module: ``harness.signal.waveform``, ``trace``, ``synthesis``,
``clock_recovery``, ``pam4``, ``eye``, ``filters``, ``ffe``, ``dispersion``, ``tdecq``, ``rin``; ``patterns``,
``counting``, ``statistics``, ``error_ratio``, ``waterfall``, ``kp4``.
"""
