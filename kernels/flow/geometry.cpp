#include "kernels/flow/geometry.hpp"

namespace xdna::flow {

bool neighbour(Tile tile, Side side, int columns, Tile& out) {
    constexpr int kColumnStep[] = {0, -1, 0, 1};
    constexpr int kRowStep[] = {-1, 0, 1, 0};
    out = {tile.column + kColumnStep[static_cast<int>(side)],
           tile.row + kRowStep[static_cast<int>(side)]};
    return out.column >= 0 && out.column < columns && out.row >= 0 && out.row < kRows;
}

}  // namespace xdna::flow
