/* A C11 program against the installed library. Exit 0: the library works as far as it can without
 * an NPU. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <xdna/xdna.h>

int main(void) {
    struct xdna_device* device = NULL;
    int count = xdna_device_list(NULL, 0);
    printf("libxdna %s, %d NPU(s)\n", xdna_version(), count);
    if (count < 0) {
        return 1;
    }
    return !(xdna_device_open("/dev/null", &device) == -EINVAL && device == NULL &&
             strstr(xdna_error_message(), "/dev/null") != NULL);
}
