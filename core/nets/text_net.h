// The text form of a net: one layer a line, in order, from the pixels on.
//
//   # comments and empty lines are skipped
//   conv 32 kernel=3 pad=1
//   batch_norm
//   relu
//   residual {              # the branch; its sum with the shortcut follows the closing brace
//     conv 64 kernel=3 stride=2 pad=1
//     batch_norm
//   }
//   relu
//   concat {                # channels of the branches, one behind the other
//     branch {
//       conv 32 kernel=1
//     }
//     branch {              # without layers: the input itself
//     }
//   }
//   global_average_pool
//   dropout 0.2
//
// A line is a layer's name, its one number where it takes one, then options as key=value and words
// without value, in any order. NetTextGrammar() lists them all. The last dense layer, one unit a
// label, follows by itself, behind a flatten where images are left; so does a flatten before a
// dense layer. Where the branch of a residual changes the shape, the shortcut is a 1x1 convolution
// with the stride that fits, and batch norm (He et al. 2015, option B).
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "core/nets/net.h"

namespace fovea {

// The net that options.text describes. InvalidArgument: the message begins with the line's number
// and says what was found and expected, e.g. `line 3: unknown layer "conf"; known are …`.
absl::StatusOr<Net> BuildTextNet(const NetOptions& options, int64_t batch);

// The layers with what they take, one a line: "conv CHANNELS kernel=3 stride=1 …".
std::string NetTextGrammar();

}  // namespace fovea
