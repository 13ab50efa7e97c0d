// Which word was meant: for texts that answer a mistyped name with the right one.
//
// Threading: pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace causeway {

// The known word that `word` was probably meant to be; empty if none is near.
[[nodiscard]] std::string nearest_word(std::string_view word,
                                       const std::vector<std::string>& known);

}  // namespace causeway
