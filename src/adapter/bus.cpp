#include "adapter/bus.hpp"

#include <sys/random.h>

#include <utility>

#include "platform/clock.hpp"

namespace causeway::adapter {

Bus::Bus() noexcept : seed_(platform::monotonic_ns()) {
    // Where there is no randomness yet, the time has to do.
    (void)::getrandom(&seed_, sizeof seed_, GRND_NONBLOCK);
}

const Controller* Bus::find(Number number) const noexcept {
    const auto found = controllers_.find(number);
    return found == controllers_.end() ? nullptr : &found->second;
}

std::vector<Bus::Number> Bus::of(std::uint32_t session) const {
    std::vector<Number> numbers;
    for (auto it = controllers_.lower_bound(number_of(session, 0));
         it != controllers_.end() && session_of(it->first) == session; ++it)
        numbers.push_back(it->first);
    return numbers;
}

const Controller& Bus::add(Number number, Controller controller) {
    return controllers_.insert_or_assign(number, std::move(controller)).first->second;
}

Bus::Controllers::node_type Bus::remove(Number number) noexcept {
    return controllers_.extract(number);
}

bool Bus::set_state(Number number, abi::ControllerState state) noexcept {
    const auto found = controllers_.find(number);
    if (found == controllers_.end() || found->second.state == state)
        return false;
    found->second.state = state;
    ++found->second.changes;
    return true;
}

void Bus::begin_use(Number number, const std::string& user) {
    const auto found = controllers_.find(number);
    if (found == controllers_.end())
        return;
    Controller& controller = found->second;
    ++controller.users[user];
    ++controller.connections;
    ++controller.changes;
}

void Bus::end_use(Number number, std::string_view user) noexcept {
    const auto found = controllers_.find(number);
    if (found == controllers_.end())
        return;
    Controller& controller = found->second;
    const auto use = controller.users.find(user);
    if (use == controller.users.end())
        return;
    if (--use->second == 0)
        controller.users.erase(use);
    --controller.connections;
    ++controller.changes;
}

std::uint32_t Bus::use_by(const Controller& controller, std::string_view user) noexcept {
    const auto use = controller.users.find(user);
    return use == controller.users.end() ? 0 : use->second;
}

}  // namespace causeway::adapter
