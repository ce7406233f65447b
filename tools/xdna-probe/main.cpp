#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>

#include "tools/xdna-probe/live/live.hpp"

int main(int argc, char** argv) {
    // A reader that leaves (| head) must not kill --watch with a signal.
    std::signal(SIGPIPE, SIG_IGN);
    try {
        const std::unique_ptr<xdna::probe::Live> live = xdna::probe::make_live();
        const bool tty = isatty(STDOUT_FILENO) != 0;
        const char* no_colour = std::getenv("NO_COLOR");
        const bool plain = no_colour != nullptr && *no_colour != '\0';
        return xdna::probe::run_command({argv + 1, argv + argc}, *live, {tty, tty && !plain},
                                        std::cout, std::cerr);
    } catch (const std::exception& error) {
        std::cerr << "xdna-probe: internal error: " << error.what() << "\n";
        return xdna::probe::kUsage;
    }
}
