// C = A B: int8 x int8 -> int32, one core's 64 x 64 tiles of C. Layouts, registers and cycles:
// int8_half.asm; what comes and goes: objects.asm. C goes out as the sums themselves.

.include "int8_half.asm"

    constants
    send_sums
    half_function
