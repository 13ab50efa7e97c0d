// Rig: the two processes of one measurement, connected and waiting, and the samples they run.
//
// Threading: one thread; make every rig before the program has threads (it forks). Ownership: owns
// both processes; they die with it, and with the program.
//
// Invariants:
//  1. Between samples both processes sleep.
//  2. If one process fails, the other is ended too, and the error is the one of who failed first.
#pragma once

#include <sys/types.h>

#include <array>
#include <functional>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "perf/board.hpp"
#include "perf/endpoint.hpp"
#include "perf/plan.hpp"
#include "perf/side_channel.hpp"

namespace causeway::perf {

// Connects one end of the data path; each process calls it, with its role.
using MakeEndpoint = std::function<Result<std::unique_ptr<Endpoint>>(const Plan& plan, Role role,
                                                                     SideChannel& side)>;

class Rig {
public:
    // Returns when both ends are connected. Without `make`: the path of Plan::peer.
    [[nodiscard]] static Result<Rig> start(const Plan& plan, const MakeEndpoint& make = {});
    Rig(Rig&&) noexcept = default;
    Rig& operator=(Rig&&) = delete;
    ~Rig();

    // Runs one sample; the outcome stays valid until the next.
    [[nodiscard]] Result<const Outcome*> run_sample(const SampleOrder& order);
    // As the plan says.
    [[nodiscard]] Result<const Outcome*> run_sample() {
        return run_sample({plan_.touch, plan_.seconds, true});
    }

    [[nodiscard]] const Plan& plan() const { return plan_; }
    [[nodiscard]] const std::string& executor() const { return executor_; }

private:
    struct Child {
        pid_t pid = -1;
        SideChannel control{};
        Child() = default;
        Child(Child&& other) noexcept
            : pid(std::exchange(other.pid, -1)), control(std::move(other.control)) {}
        Child& operator=(Child&&) = delete;
    };

    Rig(const Plan& plan, SharedBoard board) : plan_(plan), board_(std::move(board)) {}
    [[nodiscard]] Result<void> fork_child(Role role, const MakeEndpoint& make, SideChannel& mine,
                                          SideChannel& theirs);
    [[nodiscard]] Result<void> wait_for_both(double seconds);
    [[nodiscard]] Result<void> read_reply(Role role);
    [[nodiscard]] Child& child(Role role) { return children_[static_cast<std::size_t>(role)]; }

    Plan plan_;
    SharedBoard board_;
    std::array<Child, 2> children_;
    std::string executor_;
};

}  // namespace causeway::perf
