"""/docs: the API's reference, from assets on this machine; nothing is loaded from elsewhere."""

from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

ASSETS_URL = "/docs/assets"
router = APIRouter(include_in_schema=False)


def _assets() -> Path:
    """Where the package that carries Swagger UI keeps it. It is found, not imported: only its files are used."""
    spec = find_spec("fastapi_offline")
    if spec is None or spec.origin is None:
        raise RuntimeError("Expected the package fastapi-offline; run: make setup")
    return Path(spec.origin).parent / "static"


def add_reference(app: FastAPI) -> None:
    """Serve /docs and its assets."""
    app.mount(ASSETS_URL, StaticFiles(directory=_assets()), name="docs-assets")
    app.include_router(router)


@router.get("/docs")
async def reference(request: Request) -> HTMLResponse:
    """The page that shows and tries the API; it loads nothing from elsewhere."""
    root = request.scope.get("root_path", "")
    return get_swagger_ui_html(
        openapi_url=f"{root}{request.app.openapi_url}",
        title=f"{request.app.title}: API",
        swagger_js_url=f"{root}{ASSETS_URL}/swagger-ui-bundle.js",
        swagger_css_url=f"{root}{ASSETS_URL}/swagger-ui.css",
        swagger_favicon_url=f"{root}{ASSETS_URL}/favicon.png",
        swagger_ui_parameters={"validatorUrl": None, "defaultModelsExpandDepth": 0},
    )
