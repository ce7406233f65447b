// Locks of a core in the matmul programs: free and filled buffers of A, B and C.
.equ kLockAFree, 0
.equ kLockAFull, 1
.equ kLockBFree, 2
.equ kLockBFull, 3
.equ kLockCFree, 4
.equ kLockCFull, 5
.equ kOwn, 48               // the core's number of its own lock 0
