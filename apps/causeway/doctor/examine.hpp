// The examination: every check, in the order in which they are listed.
//
// Threading: called from one thread; a second one says what is being waited for, on standard error,
// once that takes more than two seconds.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "doctor/daemon.hpp"
#include "doctor/host.hpp"
#include "doctor/subjects.hpp"

namespace causeway::doctor {

// Says what takes long while it lives. Ownership: owns its thread.
class Patience {
public:
    explicit Patience(std::string what);
    ~Patience();
    Patience(const Patience&) = delete;
    Patience& operator=(const Patience&) = delete;

private:
    std::string what_;
    std::mutex lock_;
    std::condition_variable over_;
    bool done_ = false;  // guarded by lock_
    std::thread thread_;
};

// What was found out, and whom the checks judge.
struct Findings {
    Host host;
    Daemon daemon;
    std::string configuration;  // path of the file
    std::string copy_kernels;   // of the library, as cw_copies_*() say
    std::string copies_from;
    std::string copies_problem;
};
// Looks, tries and asks. The process must have one thread when it is called.
[[nodiscard]] Findings find_out(const Wanted& wanted);

// The one list of checks.
[[nodiscard]] Checks judge(const Findings& findings);

}  // namespace causeway::doctor
