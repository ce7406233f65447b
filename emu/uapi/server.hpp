// The process side of the door: a listening socket, a thread for each client thread's connection,
// and the driver behind them.
#pragma once

#include <memory>
#include <string>

#include "emu/uapi/driver.hpp"

namespace xdna::emu {

class Server {
  public:
    /// Listens under a fresh name; `driver` outlives the server. Throws std::system_error.
    explicit Server(Driver& driver);
    /// Ends every connection, interrupts every call in progress, and waits for both.
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Starts to answer. Threads inherit the caller's signal mask.
    void start();

    /// What a client needs in its environment under wire::kSocketVariable.
    std::string environment() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Whether this kernel lets us serve process `pid`: empty, or what it refuses, and why.
std::string refused_access(pid_t pid, const void* probe_address);

}  // namespace xdna::emu
