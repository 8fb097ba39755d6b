"""What keeps someone from using a page, as axe-core sees it: missing names, too little contrast, an order that jumps."""

from axe_selenium_python import Axe
from selenium.webdriver import Chrome


def faults(driver: Chrome) -> list[str]:
    """Return what is wrong with what the page shows now, each with the element."""
    axe = Axe(driver)
    axe.inject()
    return [
        f"{rule['id']}: {node['html'][:150]}: {node.get('failureSummary', '')}"
        for rule in axe.run()["violations"]
        for node in rule["nodes"]
    ]
