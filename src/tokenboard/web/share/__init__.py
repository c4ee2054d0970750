"""Share images: what other sites show beside a link to a page. Drawn here, made a PNG of by the charts' `Renderer`.

``Picture.texts`` holds every text of an image, before it is cut: what a test compares with the Data API's figures.
"""

from tokenboard.web.share.canvas import HEIGHT, WIDTH
from tokenboard.web.share.images import ROWS, Place, app_image, model_image, ranking_image

__all__ = ["HEIGHT", "ROWS", "WIDTH", "Place", "app_image", "model_image", "ranking_image"]
