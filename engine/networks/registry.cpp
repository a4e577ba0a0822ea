// The networks that tyto ships.
#include "engine/networks/network.h"

namespace tyto {

std::vector<Network> shipped_networks() {
  return {ft_net(),
          resnet(),
          mobilenet_v2(),
          mobilenet_v2_flat(),
          vgg(),
          convnext(),
          densenet(),
          efficientnet(),
          vision_transformer(),
          ssd300(),
          ssd300_vgg16(),
          ssdlite320_mobilenet_v3_large(),
          ssdlite_mobilenet_v2(),
          simple_faster_rcnn(),
          fasterrcnn_resnet_fpn(),
          fasterrcnn_mobilenet_v3_large_fpn(),
          fasterrcnn_mobilenet_v3_large_320_fpn(),
          agw(),
          ddag(),
          hetero_center_triplet(),
          dpan(),
          lift_splat_shoot()};
}

}  // namespace tyto
